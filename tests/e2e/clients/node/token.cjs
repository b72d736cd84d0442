// Prints a token. Usage: token.cjs SCOPE [CLIENT-ID]
"use strict";
const {
	DefaultAzureCredential,
	ManagedIdentityCredential,
} = require("@azure/identity");

async function main() {
	const [scope, clientId] = process.argv.slice(2);
	const credential = clientId
		? new ManagedIdentityCredential({ clientId })
		: new DefaultAzureCredential();
	console.log((await credential.getToken(scope)).token);
}

main();
