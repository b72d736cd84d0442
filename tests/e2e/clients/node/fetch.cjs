// fetch and the https module as Node has them; the fetch of undici with its
// own EnvHttpProxyAgent. Usage: fetch.cjs fetch|undici|https URL
"use strict";
const [how, url] = process.argv.slice(2);

async function viaUndici() {
	const { EnvHttpProxyAgent, fetch: get } = require("undici");
	return get(url, { dispatcher: new EnvHttpProxyAgent() });
}

function viaHttps() {
	const client = require(url.startsWith("https:") ? "node:https" : "node:http");
	return new Promise((resolve, reject) => {
		client.get(url, (reply) => {
			const pieces = [];
			reply.on("data", (piece) => pieces.push(piece));
			reply.on("error", reject);
			reply.on("end", () =>
				resolve({
					status: reply.statusCode,
					statusText: reply.statusMessage,
					text: async () => Buffer.concat(pieces).toString(),
				}),
			);
		}).on("error", reject);
	});
}

async function main() {
	const ways = { fetch: () => fetch(url), undici: viaUndici, https: viaHttps };
	const reply = await ways[how]();
	const body = await reply.text();
	console.log(body);
	if (reply.status >= 400) {
		console.error(`${reply.status} ${reply.statusText}`);
		process.exitCode = 1;
	}
}

main();
