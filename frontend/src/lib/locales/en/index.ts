import account from "./account";
import chat from "./chat";
import conversations from "./conversations";
import errors from "./errors";
import shell from "./shell";

export default { account, chat, conversations, errors, shell };
