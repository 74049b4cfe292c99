/** Whether nobody can see the page: another tab, a locked phone. */
export function isHidden(): boolean {
  return document.visibilityState === "hidden";
}
