import { Archive, ArchiveRestore, Ellipsis, FileJson, FileText, Pencil, Pin, PinOff, Trash2 } from "lucide-react";
import { useTranslation } from "react-i18next";
import type { ConversationBody } from "@/api/generated";
import { exportPath, type ExportFormat } from "@/api/transfer";
import { quoted } from "@/features/conversations/title";
import type { Actions } from "@/features/conversations/use-actions";
import { Menu, type MenuItem } from "@/ui/menu";

interface ItemMenuProps {
  conversation: ConversationBody;
  title: string;
  actions: Actions;
  onRename: () => void;
  /** It is about to go from its place. */
  onLeave: () => void;
}

/** What can be done with a conversation. Where nothing hovers, its button is always seen. */
export function ItemMenu({ conversation, title, actions, onRename, onLeave }: ItemMenuProps) {
  const { t } = useTranslation();
  const { pinned, archived } = conversation;
  const pin: MenuItem = {
    id: "pin",
    label: t(pinned ? "conversations.unpin" : "conversations.pin"),
    icon: pinned ? <PinOff aria-hidden /> : <Pin aria-hidden />,
    onSelect: () => {
      onLeave();
      actions.pin(conversation, !pinned);
    },
  };
  const items: MenuItem[] = [
    { id: "rename", label: t("conversations.rename"), icon: <Pencil aria-hidden />, onSelect: onRename },
    ...(archived ? [] : [pin]),
    {
      id: "archive",
      label: t(archived ? "conversations.unarchive" : "conversations.archive"),
      icon: archived ? <ArchiveRestore aria-hidden /> : <Archive aria-hidden />,
      onSelect: () => {
        onLeave();
        actions.archive(conversation, !archived);
      },
    },
    {
      id: "markdown",
      label: t("conversations.exportMarkdown"),
      about: t("conversations.exportMarkdownAbout"),
      icon: <FileText aria-hidden />,
      onSelect: () => download(conversation.id, "markdown"),
    },
    {
      id: "json",
      label: t("conversations.exportJson"),
      about: t("conversations.exportJsonAbout"),
      icon: <FileJson aria-hidden />,
      onSelect: () => download(conversation.id, "json"),
    },
    {
      id: "delete",
      label: t("conversations.delete"),
      icon: <Trash2 aria-hidden />,
      danger: true,
      onSelect: () => {
        onLeave();
        actions.remove(conversation);
      },
    },
  ];
  return (
    <Menu
      label={t("conversations.menu", { title: quoted(title) })}
      icon={<Ellipsis aria-hidden />}
      items={items}
      className="absolute! end-0 top-0 aspect-square px-0! -outline-offset-2 pointer-fine:opacity-0 pointer-fine:group-focus-within:opacity-100 pointer-fine:group-hover:opacity-100 pointer-fine:aria-expanded:opacity-100"
    />
  );
}

/** As if a link had been pressed: the browser saves the file under the name that the service gives it. */
function download(conversationId: string, format: ExportFormat): void {
  const link = document.createElement("a");
  link.href = exportPath(conversationId, format);
  link.download = "";
  link.click();
}
