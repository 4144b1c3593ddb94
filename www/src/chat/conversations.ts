/** The list of kept conversations. */
import { withoutOverrides } from "../markdown/links.ts";
import { at, button, create } from "../page/dom.ts";
import { date } from "../page/numbers.ts";
import { type Conversation, titleOf } from "./conversation.ts";
import type { Talk } from "./talk.ts";

/** Lets the visitor go from one conversation to another. */
export function offerConversations(talk: Talk): void {
  const dialog = at<HTMLDialogElement>("conversations");
  const items = create("ul");
  const head = create("div", "head");
  const title = create("h2", "", "Conversations");
  title.id = "conversations-title";
  head.append(
    title,
    button("Done", "chip", () => dialog.close()),
  );
  dialog.append(head, items);
  at("show-conversations").addEventListener("click", async () => {
    const { list } = await import("./store.ts");
    const all = await list();
    items.replaceChildren(...all.map(itemOf));
    if (all.length === 0) items.append(create("li", "", "None yet: the first is kept once it has an answer."));
    dialog.showModal();
  });

  function itemOf(conversation: Conversation): HTMLLIElement {
    const item = create("li");
    const words = withoutOverrides(titleOf(conversation));
    const show = button(`${words}, ${date(conversation.updatedAt)}`, "chip", () => {
      dialog.close();
      // The one that is shown goes on, unless another tab has changed it.
      const { id, updatedAt } = talk.conversation;
      if (conversation.id !== id || conversation.updatedAt > updatedAt) talk.show(conversation);
    });
    if (conversation.id === talk.conversation.id) show.ariaCurrent = "true";
    const remove = button("Delete", "chip", () => {
      dialog.close();
      talk.remove(conversation);
    });
    remove.ariaLabel = `Delete ${words}`;
    item.append(show, remove);
    return item;
  }
}
