export default function SignInPage() {
  return <p />;
}
