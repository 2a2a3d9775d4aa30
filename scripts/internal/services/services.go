// Package services makes the function's own adapters from its variables, for the programs that an operator starts.
//
// It owns the way from configuration to client, by a proxy where the environment names one (HTTPS_PROXY), and nothing of
// what is done with one.
package services

import (
	"net/http"

	"chatexport/internal/chatapi"
	"chatexport/internal/config"
	"chatexport/internal/fetch"
	"chatexport/internal/objstore/cosstore"
	"chatexport/internal/requeue"
	"chatexport/internal/retry"
)

// Bucket returns the store of the configuration. The caller ends it with CloseIdleConnections.
func Bucket(c config.Config, key config.Credentials) (*cosstore.Store, error) {
	return cosstore.New(cosstore.Config{
		Bucket: c.COSBucket, Region: c.COSRegion, Prefix: c.COSPrefix, Endpoint: c.COSEndpoint,
		Credentials: key, Proxy: http.ProxyFromEnvironment,
	})
}

// Chat returns what names the app and its service, to be completed by the caller.
func Chat(c config.Config) chatapi.Config {
	return chatapi.Config{SDKAppID: c.ChatSDKAppID, SecretKey: c.ChatSecretKey, Admin: c.ChatAdmin, BaseURL: c.ChatEndpoint, Proxy: http.ProxyFromEnvironment}
}

// Files returns the fetcher of the configuration. The caller ends it with CloseIdleConnections.
func Files(c config.Config, signer fetch.Signer, caller *retry.Caller) *fetch.Fetcher {
	return fetch.New(fetch.Config{
		Hosts: c.MediaHosts, Loopback: c.LoopbackMedia(), MaxBytes: c.MediaMaxBytes, Proxy: http.ProxyFromEnvironment,
	}, signer, caller)
}

// Cloud returns the way to the cloud API.
func Cloud() http.RoundTripper {
	transport := requeue.NewTransport(nil)
	transport.Proxy = http.ProxyFromEnvironment
	return transport
}
