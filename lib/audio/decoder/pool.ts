import { availableParallelism } from "node:os";
import { DecoderClient } from "./client.js";

const mostIdle = Math.min(4, availableParallelism());
const idleMilliseconds = 10_000;

/** Processes that wait for work, each with the timer that ends it. */
const idle = new Map<DecoderClient, NodeJS.Timeout>();

/** Take a decoder process that is free, or start one. */
export function takeDecoder(name: string): DecoderClient {
  const client = takeIdle() ?? new DecoderClient();
  client.name = name;
  client.hold(true);
  return client;
}

function takeIdle(): DecoderClient | undefined {
  for (const [client, timer] of idle) {
    clearTimeout(timer);
    idle.delete(client);
    if (client.isAlive) return client;
  }
  return undefined;
}

/** Give a decoder process back that waits for a request, or has failed. */
export function giveDecoder(client: DecoderClient): void {
  client.hold(false);
  if (!client.isAlive || idle.size >= mostIdle) return client.kill();
  const retire = (): void => {
    idle.delete(client);
    client.kill();
  };
  idle.set(client, setTimeout(retire, idleMilliseconds).unref());
}
