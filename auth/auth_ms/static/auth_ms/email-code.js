// The link of the mail brings the code after `#`, which browsers send to no server. Without this script the code is typed.
const code = document.getElementById("code");

function fillIn() {
  const brought = /^#(\d{8})$/.exec(location.hash);
  if (!brought) return;
  code.value = brought[1];
  history.replaceState(null, "", location.pathname); // the code stays in no history
  code.form.querySelector("button").focus();
}

fillIn();
addEventListener("hashchange", fillIn); // the link was opened in the tab of the form
