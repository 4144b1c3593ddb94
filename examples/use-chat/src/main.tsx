/** The page: `useChat` straight to the gateway. A reload in mid-answer goes on where it was. */
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { Chat } from "./chat.tsx";

createRoot(document.querySelector("#chat") as HTMLElement).render(
  <StrictMode>
    <Chat />
  </StrictMode>,
);
