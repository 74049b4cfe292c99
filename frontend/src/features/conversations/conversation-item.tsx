import { Link } from "@tanstack/react-router";
import { memo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { ConversationBody } from "@/api/generated";
import { focusBeside, focused } from "@/features/conversations/focus";
import { ItemMenu } from "@/features/conversations/item-menu";
import { RenameField } from "@/features/conversations/rename-field";
import type { Actions } from "@/features/conversations/use-actions";
import { setDrawer } from "@/lib/panels";

interface ConversationItemProps {
  conversation: ConversationBody;
  actions: Actions;
}

/** A conversation on the list: its name, whether an answer is being written in it, and what can be done with it. */
export const ConversationItem = memo(function ConversationItem({ conversation, actions }: ConversationItemProps) {
  const { t } = useTranslation();
  const [renaming, setRenaming] = useState(false);
  const [renamed, setRenamed] = useState(false); // by keyboard, so that the focus comes back
  const row = useRef<HTMLLIElement>(null);
  const title = conversation.title || t("conversations.untitled");
  // What is out of sight is not laid out, so that hundreds of them stay smooth.
  return (
    <li
      ref={row}
      className="group relative [contain-intrinsic-size:auto_2.25rem] [content-visibility:auto] pointer-coarse:[contain-intrinsic-size:auto_2.75rem]"
    >
      {renaming ? (
        <RenameField
          title={conversation.title}
          onSave={(name) => actions.rename(conversation, name)}
          onClose={(byKey) => {
            setRenaming(false);
            setRenamed(byKey);
          }}
        />
      ) : (
        <>
          <Link
            ref={renamed ? focused : null}
            to="/c/$conversationId"
            params={{ conversationId: conversation.id }}
            activeOptions={{ includeSearch: false }}
            title={title}
            onClick={() => setDrawer(false)}
            className="flex min-h-9 items-center gap-2 rounded-lg ps-3 pe-10 text-sm -outline-offset-2 hover:bg-hover aria-[current=page]:bg-hover aria-[current=page]:font-medium pointer-coarse:min-h-11 pointer-coarse:pe-12"
          >
            <span dir="auto" className="min-w-0 flex-1 truncate text-left">
              {title}
            </span>
            {conversation.live && (
              <span
                role="img"
                aria-label={t("conversations.live")}
                title={t("conversations.live")}
                className="size-2 shrink-0 rounded-full bg-accent"
              />
            )}
          </Link>
          <ItemMenu
            conversation={conversation}
            title={title}
            actions={actions}
            onRename={() => setRenaming(true)}
            onLeave={() => focusBeside(row.current)}
          />
        </>
      )}
    </li>
  );
});
