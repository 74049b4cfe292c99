import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { useRef, useState } from "react";
import { expect, test } from "vitest";
import { useFocusWithin } from "@/app/use-focus-within";

function Page() {
  const place = useRef<HTMLDivElement>(null);
  const [isOpen, setOpen] = useState(false);
  useFocusWithin(place, isOpen, () => setOpen(false));
  return (
    <>
      <button type="button" onClick={() => setOpen(true)}>
        Open
      </button>
      <div ref={place}>
        {isOpen && (
          <>
            <button type="button">First</button>
            <input aria-label="Name" onKeyDown={(event) => event.key === "Escape" && event.stopPropagation()} />
          </>
        )}
      </div>
    </>
  );
}

test("the focus goes in, Escape closes, and the focus goes back", async () => {
  const user = userEvent.setup();
  render(<Page />);
  await user.click(screen.getByRole("button", { name: "Open" }));
  expect(document.activeElement).toBe(screen.getByRole("button", { name: "First" }));
  await user.keyboard("{Escape}");
  expect(screen.queryByRole("button", { name: "First" })).toBeNull();
  expect(document.activeElement).toBe(screen.getByRole("button", { name: "Open" }));
});

test("a field that has an Escape of its own keeps it", async () => {
  const user = userEvent.setup();
  render(<Page />);
  await user.click(screen.getByRole("button", { name: "Open" }));
  await user.click(screen.getByLabelText("Name"));
  await user.keyboard("{Escape}");
  expect(screen.getByRole("button", { name: "First" })).toBeDefined();
});
