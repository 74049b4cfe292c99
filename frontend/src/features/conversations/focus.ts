/** As a `ref`: gives the focus to an element when it appears. */
export function focused(element: HTMLElement | null): void {
  element?.focus();
}

/** Give the focus to the list's item next to `item`, which is about to go: else whoever uses the keyboard would begin anew. */
export function focusBeside(item: HTMLElement | null): void {
  const beside = item?.nextElementSibling ?? item?.previousElementSibling;
  const link = beside?.querySelector("a");
  setTimeout(() => link?.focus(), 0); // a menu that closes gives the focus back to its button first
}
