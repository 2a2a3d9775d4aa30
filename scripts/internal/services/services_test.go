package services_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"chatexport/internal/chat"
	"chatexport/internal/chatapi"
	"chatexport/internal/config"
	"chatexport/internal/fetch"
	"chatexport/internal/requeue"
	"chatexport/internal/retry"
	"chatexport/scripts/internal/services"
)

// Whoever sits behind a proxy can operate what is not. The proxy is asked for a tunnel, and sees nothing in it.
func TestProxy_IsAskedForEveryService(t *testing.T) {
	asked := make(chan string, 100)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.Method + " " + r.Host
		w.WriteHeader(http.StatusForbidden)
	}))
	defer proxy.Close()
	for _, name := range []string{"HTTPS_PROXY", "https_proxy"} {
		t.Setenv(name, proxy.URL)
	}
	for _, name := range []string{"NO_PROXY", "no_proxy"} {
		t.Setenv(name, "")
	}
	c := config.Config{
		ChatSDKAppID: 1400000000, ChatSecretKey: config.NewSecret("key"), ChatEndpoint: "https://console.tim.qq.com",
		COSBucket: "archive-1250000000", COSRegion: "ap-guangzhou", MediaMaxBytes: 1000,
	}
	key := config.Credentials{SecretID: config.NewSecret("id"), SecretKey: config.NewSecret("key")}
	client, err := chatapi.New(services.Chat(c))
	if err != nil {
		t.Fatal(err)
	}
	for host, call := range map[string]func(context.Context){
		"archive-1250000000.cos.ap-guangzhou.myqcloud.com:443": func(ctx context.Context) {
			store, err := services.Bucket(c, key)
			if err != nil {
				t.Fatal(err)
			}
			_ = store.Preflight(ctx)
		},
		"console.tim.qq.com:443": func(ctx context.Context) {
			_, _ = client.Page(ctx, chat.Query{Stream: chat.Stream{GroupID: "g"}, Number: 1})
		},
		"a.rich.my-imcloud.com:443": func(ctx context.Context) {
			f := services.Files(c, client, chatapi.NewCaller(retry.NewLimiter(100)))
			links := []fetch.Link{{URL: "https://a.rich.my-imcloud.com/x"}}
			_ = f.Fetch(ctx, time.Now().Add(time.Minute), links, func(context.Context, int, *fetch.File, error) {})
		},
		"scf.tencentcloudapi.com:443": func(ctx context.Context) {
			p := requeue.New(requeue.Config{Region: "ap-guangzhou", Function: "f", Credentials: key, Transport: services.Cloud()})
			_ = p.Publish(ctx, []byte("{}"))
		},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		done := make(chan struct{})
		go func() { defer close(done); call(ctx) }()
		select {
		case got := <-asked:
			if !strings.HasPrefix(got, "CONNECT ") || !strings.HasSuffix(got, host) {
				t.Errorf("%s: %s", host, got)
			}
		case <-done:
			t.Errorf("%s: no proxy was asked", host)
		}
		cancel()
		<-done
		for len(asked) > 0 {
			<-asked // tries
		}
	}
}
