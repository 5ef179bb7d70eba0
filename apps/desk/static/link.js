// The websocket: connects, and again after a loss, waiting longer each time.

const FIRST_MS = 400;
const LONGEST_MS = 5_000;
const NO_SESSION = 4401;

export const follow = ({ onMessage, onState }) => {
  let wait = FIRST_MS;

  const connect = () => {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/live`);
    let opened = false;
    socket.addEventListener("open", () => {
      opened = true;
      wait = FIRST_MS;
      onState("up");
    });
    socket.addEventListener("message", (event) => onMessage(JSON.parse(event.data)));
    socket.addEventListener("close", (event) => {
      onState("down");
      if (event.code === NO_SESSION) location.reload();
      else setTimeout(opened ? connect : knock, wait * (0.75 + Math.random() / 2));
      wait = Math.min(LONGEST_MS, wait * 2);
    });
  };

  // A refused websocket does not say why: the page does, when the session is over.
  const knock = async () => {
    try {
      const answer = await fetch("/", { cache: "no-store" });
      if (answer.status === 401) return location.reload();
    } catch {
      // The desk is down: try again.
    }
    connect();
  };

  connect();
};
