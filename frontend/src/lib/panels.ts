import { create } from "zustand";

/** What lies over the page, opened from anywhere and drawn by `app/`. */
export type Panel = "search" | "shortcuts";

interface Panels {
  panel: Panel | null;
  /** On narrow screens: the list of conversations lies over the page. */
  drawer: boolean;
}

export const usePanels = create<Panels>()(() => ({ panel: null, drawer: false }));

export function openPanel(panel: Panel): void {
  usePanels.setState({ panel });
}

export function closePanel(): void {
  usePanels.setState({ panel: null });
}

export function setDrawer(drawer: boolean): void {
  usePanels.setState({ drawer });
}
