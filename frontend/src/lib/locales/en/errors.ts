/** What went wrong and what to do, by the `code` of the service. `detail` is the service's own sentence. */
export default {
  again_in: "(in {{wait}})",
  page: "Something went wrong on this page. Reload it and try again.",

  unreachable: "The service cannot be reached. Check your connection; then try again.",

  // The request
  malformed: "The service could not read this. Reload the page and try again.",
  bad_cursor: "The place in this answer is no longer known. Reload the page.",
  invalid: "{{detail}}",
  key_reused: "This was already sent with other words. Send it again.",
  body_too_slow: "Your connection was too slow to send this. Try again.",
  body_too_large: "This is too large. Send less at once.",
  query_too_long: "This is too long to look for. Shorten it.",
  unsupported_media_type: "The service does not take this kind of file. Choose another one.",
  method_not_allowed: "This page does not match the service. Reload it.",
  not_found: "There is nothing here. Go back and try again.",
  forbidden_origin: "The service does not accept requests from this address. Open the page at the service's own address, or ask the administrator to add this one to CORS_ORIGINS.",
  wrong_host: "The service does not know this address. Open it at the address it was set up for, or ask the administrator to add this one to ALLOWED_HOSTS.",

  // What it is about
  run_not_found: "This answer is no longer being written. Reload the page.",
  model_not_found: "This model is not there any more. Choose another one.",
  conversation_not_found: "This conversation does not exist, or it was deleted.",
  message_not_found: "This message is not there any more. Reload the conversation.",
  user_not_found: "There is no such user. Reload the list.",
  key_not_found: "There is no such key, or it was revoked already. Reload the list.",
  invitation_not_found: "There is no such invitation, or it was used or has expired. Reload the list.",
  name_taken: "This name is taken. Choose another one.",
  last_administrator: "This is the only administrator. Make somebody else one first.",
  still_writing: "That answer is still being written. Wait for its end, or stop it first.",

  // Who asks
  not_signed_in: "You are not signed in any more. Sign in again.",
  wrong_password: "The name or the password is wrong. Try again.",
  sign_in_expired: "This sign-in took too long or was begun elsewhere. Sign in again.",
  sign_in_declined: "You were not signed in there. Sign in again if you meant to.",
  suspended: "This account is suspended. Ask the administrator.",
  issuer_unavailable: "The place to sign in does not answer. Try again in a moment.",
  issuer_untrusted: "The place to sign in gave an answer that cannot be trusted. Tell the administrator.",
  not_allowed: "You may not do this. Ask the administrator if you need to.",
  invitation_needed: "An account needs an invitation that is still good. Ask the administrator for one.",

  // How much
  too_many_attempts: "Too many attempts. Wait a little, then try again.",
  limit_reached: "{{detail}}",
  too_many_requests: "{{detail}}",
  too_many_runs_of_yours: "{{detail}}",
  tokens_spent: "{{detail}}",
  budget_spent: "{{detail}}",
  too_many_runs: "The service is busy with other answers. Try again in a moment.",
  import_busy: "Another import is running. Try again when it is over.",
  too_many_trials: "Too many people are looking at the test stream. Try again in a moment.",
  draining: "The service is being restarted. Try again in a moment.",
  storage_unavailable: "The service cannot save at the moment. Try again in a moment.",
  no_room: "The service has no room left to save. Tell the administrator.",
  start_refused: "The service is not set up properly. Tell the administrator.",
  internal: "Something went wrong inside the service. Try again.",

  // How an answer ended
  upstream_interrupted: "The model's answer broke off. What it said is kept; continue from there, or try again.",
  upstream_timeout: "The model took too long. What it said is kept; try again.",
  upstream_rejected: "{{detail}}",
  upstream_rate_limited: "The model is overloaded, or its quota is spent. Wait a little, then try again.",
  upstream_unavailable: "The model cannot be reached. Try again in a moment, or choose another model.",
  upstream_protocol: "{{detail}}",
  model_not_configured: "No model is set up. Tell the administrator to set one up.",
  run_too_long: "The answer took longer than one answer may. What was said is kept; continue from there.",
  not_saved: "This answer could not be saved, since the server has no room left. Tell the administrator.",
  interrupted: "The service stopped while this answer was being written. What it said is kept; continue from there, or try again.",
  abandoned: "Nobody was reading this answer, so it was stopped. Try again.",
  cancelled: "Stopped.",
};
