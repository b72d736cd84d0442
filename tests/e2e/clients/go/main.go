// One plain net/http and one azidentity client; see main's cases.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
)

// get prints status, size and digest of what the URL answers.
func get(url string) error {
	reply, err := http.Get(url)
	if err != nil {
		return err
	}
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	if err != nil {
		return err
	}
	if reply.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", reply.Status, body)
	}
	digest := sha256.Sum256(body)
	fmt.Println(reply.StatusCode, len(body), hex.EncodeToString(digest[:]))
	return nil
}

// post sends a body and prints the answer as it is.
func post(url, body string) error {
	reply, err := http.Post(url, "text/plain", strings.NewReader(body))
	if err != nil {
		return err
	}
	defer reply.Body.Close()
	_, err = io.Copy(os.Stdout, reply.Body)
	return err
}

// token asks for one for the scope; an id selects the identity.
func token(kind, scope, id string) error {
	var cred azcore.TokenCredential
	var err error
	switch kind {
	case "managed":
		options := azidentity.ManagedIdentityCredentialOptions{}
		if id != "" {
			options.ID = azidentity.ClientID(id)
		}
		cred, err = azidentity.NewManagedIdentityCredential(&options)
	default:
		cred, err = azidentity.NewDefaultAzureCredential(nil)
	}
	if err != nil {
		return err
	}
	wanted := policy.TokenRequestOptions{Scopes: []string{scope}}
	got, err := cred.GetToken(context.Background(), wanted)
	if err != nil {
		return err
	}
	digest := sha256.Sum256([]byte(got.Token))
	fmt.Println(hex.EncodeToString(digest[:]), got.ExpiresOn.Unix())
	return nil
}

func main() {
	args := append(os.Args[1:], "", "", "", "")
	var err error
	switch args[0] {
	case "get":
		err = get(args[1])
	case "post":
		err = post(args[1], args[2])
	case "token":
		err = token(args[1], args[2], args[3])
	default:
		err = fmt.Errorf("get URL, post URL BODY or token KIND SCOPE [ID]")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
