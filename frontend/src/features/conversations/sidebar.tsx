/** The list of conversations. */
export function Sidebar() {
  return <nav />;
}
