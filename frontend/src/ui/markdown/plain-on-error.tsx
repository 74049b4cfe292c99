import { Component, type ReactNode } from "react";
import { Plain } from "@/ui/markdown/plain";

/** If drawing a block throws, which parsers do on texts made to hurt, it is shown as it is; the rest of the page does not notice. */
export class PlainOnError extends Component<{ text: string; children: ReactNode }, { failed: string | null }> {
  override state: { failed: string | null } = { failed: null };

  override componentDidCatch(): void {
    this.setState({ failed: this.props.text });
  }

  static getDerivedStateFromError(): { failed: string } {
    return { failed: "" };
  }

  override render(): ReactNode {
    const { text, children } = this.props;
    const failed = this.state.failed !== null && (this.state.failed === "" || this.state.failed === text);
    return failed ? <Plain text={text} /> : children;
  }
}
