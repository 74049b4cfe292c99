import { cleanup } from "@testing-library/react";
import { afterEach, beforeAll } from "vitest";
import { startLanguage } from "@/lib/i18n";

beforeAll(startLanguage);
afterEach(cleanup);
