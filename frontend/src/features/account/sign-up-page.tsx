export default function SignUpPage() {
  return <p />;
}
