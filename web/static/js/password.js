// The rule for passwords while one is typed. The server decides.

const [LEAST, MOST, MOST_BYTES] = [12, 64, 71];

/** What is still wrong with a password, or null. */
export function passwordFault(password, username = '', email = '') {
  const letters = [...password].length;
  if (letters < LEAST) return `${letters} of at least ${LEAST} characters`;
  if (letters > MOST) return `${letters} characters; at most ${MOST}`;
  if (new TextEncoder().encode(password).length > MOST_BYTES) return `more than ${MOST_BYTES} bytes: use fewer special characters`;
  const same = [username, email].some((other) => other && other.toLowerCase() === password.toLowerCase());
  return same ? 'the same as your user name or e-mail' : null;
}

/** Says how two password fields stand; `isOptional`: empty is right as well. */
export function watchPassword({ password, confirm, username, email, count, match, isOptional = false }) {
  const show = () => {
    const fault = passwordFault(password.value, username?.value, email?.value);
    const isEmpty = password.value === '';
    count.textContent = isEmpty ? '' : fault ?? `${[...password.value].length} characters: long enough`;
    count.classList.toggle('good-text', !isEmpty && !fault);
    const same = password.value === confirm.value;
    match.textContent = confirm.value === '' ? '' : same ? 'The same' : 'Not the same yet';
    match.classList.toggle('good-text', confirm.value !== '' && same);
    return (isOptional && isEmpty && confirm.value === '') || (!fault && same);
  };
  for (const input of [password, confirm, username, email]) input?.addEventListener('input', show);
  return show;
}
