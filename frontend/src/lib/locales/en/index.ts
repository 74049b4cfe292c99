import account from "./account";
import chat from "./chat";
import conversations from "./conversations";
import shell from "./shell";

export default { account, chat, conversations, shell };
