import type { Words } from "../words";
import type en from "../en/account";

export default {
  signIn: "로그인",
  signUp: "계정 만들기",
  signOut: "로그아웃",
  name: "이름",
  nameHint: "문자, 숫자와 . @ + - _",
  nameInvalid: "공백 없이 문자, 숫자와 . @ + - _ 기호만 쓰세요.",
  password: "비밀번호",
  passwordHint: "8자 이상.",
  passwordShort: "8자 이상 입력하세요.",
  wrongOld: "현재 비밀번호가 맞지 않습니다.",
  invitation: "초대 코드",
  invitationHint: "관리자에게 받은 코드입니다.",
  signInWith: "{{provider}} 계정으로 로그인",
  signUpWith: "{{provider}} 계정으로 계속하기",
  or: "또는",
  toSignUp: "계정이 없으면 계정 만들기",
  toSignIn: "계정이 있으면 로그인",
  needsInvitation: "계정을 만들려면 관리자의 초대가 필요합니다.",
  first: "아직 계정이 없습니다. 처음 만드는 계정이 관리자가 됩니다.",
  takeOver: "기존 대화 이어받기",
  takeOverHint: "계정 기능을 켜기 전의 대화가 이 계정의 것이 됩니다. 이어받지 않으면 아무도 볼 수 없습니다.",
  ended: {
    title: "다시 로그인",
    about: "로그인이 만료되었습니다. 입력하던 내용은 그대로 있습니다. 로그인하면 이어서 할 수 있습니다.",
    oidcHint: "새 탭에서 열립니다. 로그인한 뒤 이 탭으로 돌아오세요.",
  },
} satisfies Words<typeof en>;
