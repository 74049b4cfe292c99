/// <reference types="vitest/config" />
import { fileURLToPath } from "node:url";
import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";
import { VitePWA } from "vite-plugin-pwa";
import { compress } from "./build/compress.ts";
import { firstLoad } from "./build/first-load.ts";

const service = process.env["SERVICE_URL"] ?? "http://127.0.0.1:8000";
const paths = ["/api", "/auth", "/v1", "/docs", "/redoc", "/openapi.json", "/health", "/ready"];

const shell = firstLoad({ maxKibibytes: 150, later: [/\/locales\/(?:en|ko)\/index/, /pwa-register/, /chat\/message-list/] });

export default defineConfig({
  plugins: [
    react(),
    tailwindcss(),
    shell.plugin,
    VitePWA({
      // Registered by our own code: the policy allows no inline script, and a new version asks before it takes over.
      injectRegister: null,
      registerType: "prompt",
      includeAssets: ["theme.js", "favicon.svg", "icon-180.png"],
      manifest: {
        id: "/",
        name: "AI Chat Service",
        short_name: "AI Chat",
        description: "Chat with the models of this service. Answers are never lost.",
        start_url: "/",
        display: "standalone",
        background_color: "#fbfaf8",
        theme_color: "#fbfaf8",
        icons: [
          { src: "icon-192.png", sizes: "192x192", type: "image/png" },
          { src: "icon-512.png", sizes: "512x512", type: "image/png" },
          { src: "icon-maskable-512.png", sizes: "512x512", type: "image/png", purpose: "maskable" },
        ],
      },
      workbox: {
        // What the page needs to start, in both languages; what is loaded later is kept once it was loaded. What people said never is.
        globPatterns: shell.files,
        navigateFallback: "/index.html",
        navigateFallbackDenylist: [/^\/(?:api|v1|auth|docs|redoc|health|ready|metrics)(?:\/|$)/, /^\/openapi\.json$/],
        cleanupOutdatedCaches: true,
        runtimeCaching: [
          {
            urlPattern: ({ sameOrigin, url }) => sameOrigin && url.pathname.startsWith("/assets/"),
            handler: "CacheFirst",
            options: { cacheName: "assets", expiration: { maxEntries: 200 } },
          },
        ],
      },
    }),
    compress(),
  ],
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  build: {
    target: "es2022",
    assetsInlineLimit: 0, // the policy allows no data: scripts or fonts
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    rolldownOptions: {
      output: {
        codeSplitting: {
          // In one file they compress better, and a new version of ours leaves them in the browser's cache.
          groups: [{ name: "vendor", test: /node_modules\/(?:react|react-dom|scheduler|@tanstack|i18next|react-i18next|zustand|clsx)\// }],
        },
      },
    },
  },
  server: {
    port: 5173,
    strictPort: true,
    // The service looks at Host and Origin, so both stay as the browser sent them.
    proxy: Object.fromEntries(paths.map((path) => [path, { target: service, changeOrigin: false }])),
  },
  test: {
    environment: "happy-dom",
    setupFiles: ["src/app/vitest.setup.ts"],
    restoreMocks: true,
  },
});
