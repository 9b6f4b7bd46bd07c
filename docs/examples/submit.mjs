// Submit a job from Node and wait for its end:
//
//   bananasd script submit > submit.lua
//   npm install ioredis
//   node submit.mjs redis://HOST:6379/0        (or the path of a socket)
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

import Redis from "ioredis";

const redis = new Redis(process.argv[2]);
// ioredis sends the script by its digest, and in full when the server does not know it.
redis.defineCommand("submitJobs", { numberOfKeys: 1, lua: readFileSync("submit.lua", "utf8") });

const prefix = "{bananas:default}:"; // of the namespace "default"
const id = randomUUID(); // repeat a call with the same id, and it is still one job
const spec = { v: 1, name: "hello", created_at: Date.now(), payload: { name: "Ada" } };
const words = [id, JSON.stringify(spec), "default:high", "", ""]; // five for each job
const [accepted] = await redis.submitJobs(`${prefix}scheduled`, prefix, ...words);
console.log(`accepted ${accepted}`);

const record = `${prefix}job:${id}`;
let job = await redis.hgetall(record);
while (["scheduled", "pending", "processing"].includes(job.status)) {
  await sleep(50);
  job = await redis.hgetall(record);
}
console.log(job.status, job.status === "failed" ? job.error : await redis.get(`${prefix}result:${id}`));
redis.disconnect();
