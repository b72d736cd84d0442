// Writes MIB random MiB to a blob and reads them back.
// Usage: blob.cjs HOST CONTAINER MIB
"use strict";
const crypto = require("node:crypto");
const { DefaultAzureCredential } = require("@azure/identity");
const { BlobServiceClient } = require("@azure/storage-blob");

async function main() {
	const [host, container, mib] = process.argv.slice(2);
	const service = new BlobServiceClient(
		`https://${host}`,
		new DefaultAzureCredential(),
	);
	const folder = service.getContainerClient(container);
	await folder.createIfNotExists();
	const blob = folder.getBlockBlobClient("random");
	const data = crypto.randomBytes(Number(mib) << 20);
	await blob.uploadData(data, { blockSize: 4 << 20, concurrency: 4 });
	const back = await blob.downloadToBuffer(0, undefined, { concurrency: 4 });
	console.log(back.length, data.equals(back));
}

main();
