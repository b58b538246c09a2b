// The user's notifications and preferences.
import { call } from "./api.js";
import { announce, badge, card, field, form, h, time } from "./dom.js";
import { list } from "./paging.js";
import { named, t } from "./texts.js";

const KINDS = { sent: "good", failed: "bad" };

export function notifications({ me }) {
  const columns = [
    { label: t("notifications.event"), cell: (row) => named("event", row.event) },
    { label: t("notifications.medium"), cell: (row) => named("medium", row.medium) },
    { label: t("notifications.recipient"), cell: (row) => row.recipient || "–" },
    { label: t("notifications.status"), cell: (row) => badge(named("status", row.status), KINDS[row.status] || "") },
    { label: t("notifications.when"), cell: (row) => time(row.sent_at || row.created_at) },
  ];
  const path = `/notification-ms/notifications?limit=20&user_id=${me.id}`; // otherwise an admin would see those of all users
  return [card(null, list(path, t("notifications.caption"), columns).node)];
}

export async function preferences() {
  const { value } = await call("GET", "/notification-ms/preferences");
  const fields = value.preferences.map((each) =>
    field(`${each.event} ${each.medium}`, named("medium", each.medium), {
      id: `${each.event}-${each.medium}`, type: "checkbox", value: each.enabled, disabled: !each.can_be_switched_off,
    }));
  const every = field("every_sign_in", t("preferences.everySignIn"), {
    type: "checkbox", value: value.login_notices === "all", disabled: !value.login_notices_can_be_changed,
  });
  const save = form([...fields, every], {
    button: t("preferences.save"),
    submit: async ({ every_sign_in, ...values }) => {
      const chosen = Object.entries(values).map(([name, enabled]) => {
        const [event, medium] = name.split(" ");
        return { event, medium, enabled };
      });
      await call("PUT", "/notification-ms/preferences", {
        body: { preferences: chosen, login_notices: every_sign_in ? "all" : "new_devices" },
      });
      announce(t("preferences.saved"));
    },
  });
  const events = [...new Set(value.preferences.map(({ event }) => event))];
  const groups = events.map((event) =>
    h("fieldset", {}, h("legend", {}, named("event", event)),
      ...fields.filter(({ name }) => name.startsWith(`${event} `)).map(({ node }) => node),
      event === "user_login_event" && every.node));
  save.querySelector(".actions").before(...groups);
  return [card(null, h("p", {}, t("preferences.explained")), save)];
}
