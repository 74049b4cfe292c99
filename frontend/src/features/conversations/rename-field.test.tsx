import { fireEvent, render, screen } from "@testing-library/react";
import { userEvent } from "@testing-library/user-event";
import { expect, test, vi } from "vitest";
import { RenameField } from "@/features/conversations/rename-field";

function begin(title = "Old") {
  const onSave = vi.fn<(title: string) => void>();
  const onClose = vi.fn<(byKey: boolean) => void>();
  render(<RenameField title={title} onSave={onSave} onClose={onClose} />);
  return { field: screen.getByRole<HTMLInputElement>("textbox"), onSave, onClose };
}

test("it begins with the whole name selected, so that one types over it", async () => {
  const { field, onSave, onClose } = begin();
  expect(document.activeElement).toBe(field);
  await userEvent.keyboard("New{Enter}");
  expect(onSave.mock.calls).toEqual([["New"]]);
  expect(onClose).toHaveBeenCalledOnce();
});

test("Escape leaves it as it was", async () => {
  const { onSave, onClose } = begin();
  await userEvent.keyboard("New{Escape}");
  expect(onSave).not.toHaveBeenCalled();
  expect(onClose).toHaveBeenCalledOnce();
});

test.each(["", "   ", "Old", " Old "])("%j changes nothing", async (typed) => {
  const { field, onSave, onClose } = begin();
  fireEvent.change(field, { target: { value: typed } });
  await userEvent.keyboard("{Enter}");
  expect(onSave).not.toHaveBeenCalled();
  expect(onClose).toHaveBeenCalledOnce();
});

test("going elsewhere saves, once", () => {
  const { field, onSave } = begin();
  fireEvent.change(field, { target: { value: "New" } });
  fireEvent.keyDown(field, { key: "Enter" });
  fireEvent.blur(field);
  expect(onSave.mock.calls).toEqual([["New"]]);
});

const ENTER = { key: "Enter", code: "Enter" };

// As the browsers tell that Enter ends a composition of Korean.
test.each([
  ["Chromium", [["keyDown", { ...ENTER, keyCode: 229, isComposing: true }], ["compositionEnd", {}], ["keyUp", ENTER]]],
  ["Firefox", [["keyDown", { ...ENTER, keyCode: 229, isComposing: true }], ["compositionEnd", {}], ["keyUp", ENTER]]],
  ["Safari", [["compositionEnd", {}], ["keyDown", { ...ENTER, keyCode: 229, isComposing: false }], ["keyUp", ENTER]]],
] as const)("in %s, the Enter that ends a composition does not save, and the next one does", (_, trace) => {
  const { field, onSave } = begin();
  fireEvent.compositionStart(field);
  fireEvent.change(field, { target: { value: "여행" } });
  for (const [type, init] of trace) fireEvent[type](field, init);
  expect(onSave).not.toHaveBeenCalled();
  fireEvent.keyDown(field, { ...ENTER, keyCode: 13 });
  expect(onSave.mock.calls).toEqual([["여행"]]);
});
