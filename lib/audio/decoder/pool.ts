import { availableParallelism } from "node:os";
import { DecoderClient } from "./client.js";

const mostIdle = Math.min(4, availableParallelism());
const idleMilliseconds = 10_000;

const idle: DecoderClient[] = [];

/** Take a decoder process that is free, or start one. */
export function takeDecoder(name: string): DecoderClient {
  let client = idle.pop();
  while (client && !client.isAlive) client = idle.pop();
  client ??= new DecoderClient();
  client.name = name;
  client.hold(true);
  return client;
}

/** Give a decoder process back that waits for a request, or has failed. */
export function giveDecoder(client: DecoderClient): void {
  client.hold(false);
  if (!client.isAlive || idle.length >= mostIdle) return client.kill();
  idle.push(client);
  setTimeout(() => retire(client), idleMilliseconds).unref();
}

/** End a process that nobody took in the meantime; one taken and given back may end early. */
function retire(client: DecoderClient): void {
  const place = idle.indexOf(client);
  if (place < 0) return;
  idle.splice(place, 1);
  client.kill();
}
