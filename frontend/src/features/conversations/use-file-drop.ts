import { useEffect, useRef, useState } from "react";

/** Whether files are being dragged over the page; `onFile` gets the first one of those that are let go anywhere on it. */
export function useFileDrop(onFile: (file: File) => void): boolean {
  const [over, setOver] = useState(false);
  const take = useRef(onFile);
  useEffect(() => {
    take.current = onFile;
  });
  useEffect(() => {
    const listening = new AbortController();
    const { signal } = listening;
    addEventListener("dragover", onDragOver, { signal });
    addEventListener("dragleave", (event) => event.relatedTarget === null && setOver(false), { signal });
    addEventListener("drop", onDrop, { signal });
    return () => listening.abort();

    function onDragOver(event: DragEvent): void {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault(); // else the browser would leave the page to show the file
      setOver(true);
    }

    function onDrop(event: DragEvent): void {
      const file = event.dataTransfer?.files[0];
      setOver(false);
      if (!file) return;
      event.preventDefault();
      take.current(file);
    }
  }, []);
  return over;
}
