// Java's two HTTP clients, azure-identity and azure-storage-blob; see main.

import com.azure.core.credential.TokenCredential;
import com.azure.core.credential.TokenRequestContext;
import com.azure.core.util.BinaryData;
import com.azure.identity.DefaultAzureCredentialBuilder;
import com.azure.identity.ManagedIdentityCredentialBuilder;
import com.azure.storage.blob.BlobClient;
import com.azure.storage.blob.BlobContainerClient;
import com.azure.storage.blob.BlobServiceClientBuilder;
import java.io.IOException;
import java.io.InputStream;
import java.net.HttpURLConnection;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.Arrays;
import java.util.Random;

public final class Client {
    private Client() {}

    /** java.net.http.HttpClient as it comes. */
    private static void get(String url) throws Exception {
        HttpRequest request = HttpRequest.newBuilder(URI.create(url)).build();
        HttpResponse<String> reply = HttpClient.newHttpClient().send(
            request, HttpResponse.BodyHandlers.ofString());
        print(reply.statusCode(), reply.body());
    }

    /** The old java.net.HttpURLConnection. */
    private static void connection(String url) throws Exception {
        HttpURLConnection c =
            (HttpURLConnection) URI.create(url).toURL().openConnection();
        int status = c.getResponseCode();
        InputStream body =
            status < 400 ? c.getInputStream() : c.getErrorStream();
        String text = new String(body.readAllBytes(), "UTF-8");
        print(status, c.getResponseMessage() + "\n" + text);
    }

    private static void print(int status, String body) throws IOException {
        System.out.println(status + " " + body);
        if (status >= 400)
            throw new IOException("the answer is " + status);
    }

    private static void token(TokenCredential credential, String scope) {
        TokenRequestContext wanted =
            new TokenRequestContext().addScopes(scope);
        System.out.println(credential.getTokenSync(wanted).getToken());
    }

    private static TokenCredential managed(String id) {
        return new ManagedIdentityCredentialBuilder().clientId(id).build();
    }

    /** Writes MiB of random bytes to a blob and reads them back. */
    private static void blob(String host, String container, int mib) {
        BlobContainerClient folder =
            new BlobServiceClientBuilder()
                .endpoint("https://" + host)
                .credential(new DefaultAzureCredentialBuilder().build())
                .buildClient()
                .createBlobContainerIfNotExists(container);
        BlobClient blob = folder.getBlobClient("random");
        byte[] data = new byte[mib << 20];
        new Random().nextBytes(data);
        blob.upload(BinaryData.fromBytes(data), true);
        byte[] back = blob.downloadContent().toBytes();
        System.out.println(back.length + " " + Arrays.equals(data, back));
    }

    public static void main(String[] args) throws Exception {
        switch (args[0]) {
            case "get" -> get(args[1]);
            case "connection" -> connection(args[1]);
            case "default" ->
                token(new DefaultAzureCredentialBuilder().build(), args[1]);
            case "blob" -> blob(args[1], args[2], Integer.parseInt(args[3]));
            case "managed" -> token(managed(args[2]), args[1]);
            default -> throw new IllegalArgumentException(args[0]);
        }
    }
}
