package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"chatexport/internal/chat"
	"chatexport/internal/chatapi"
	"chatexport/internal/config"
	"chatexport/internal/retry"
	"chatexport/scripts/internal/services"
)

// askQPS is far below what any app may call, so that the questions disturb no export that is under way.
const askQPS = 20

// chatClient makes calls through the function's own client. What that would never send is put into the request behind
// its back, on the way to the service.
type chatClient struct {
	*chatapi.Client

	caller *retry.Caller
	swap   *swapper
}

// swapper is a transport that can replace a request's body, and remembers how the answer came.
type swapper struct {
	next http.RoundTripper
	body []byte // nil to leave the request as it is; not to be set while calls are under way

	mu    sync.Mutex
	proto string
	zip   bool
}

// RoundTrip implements http.RoundTripper.
func (s *swapper) RoundTrip(r *http.Request) (*http.Response, error) {
	if s.body != nil {
		r = r.Clone(r.Context())
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(s.body)), int64(len(s.body))
		r.GetBody = nil
	}
	response, err := s.next.RoundTrip(r)
	if err == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.proto, s.zip = response.Proto, response.Uncompressed
	}
	return response, err
}

func newChat(c config.Config) (*chatClient, error) {
	api := services.Chat(c)
	swap := &swapper{next: &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, TLSHandshakeTimeout: 5 * time.Second, MaxIdleConnsPerHost: burst}}
	api.Transport = swap
	client, err := chatapi.New(api)
	if err != nil {
		return nil, err
	}
	return &chatClient{Client: client, caller: chatapi.NewCaller(retry.NewLimiter(askQPS)), swap: swap}, nil
}

// ask sends a page's request as it stands in fields.
func (c *chatClient) ask(ctx context.Context, fields map[string]any) (chat.Page, error) {
	body, err := json.Marshal(fields)
	if err != nil {
		return chat.Page{}, err
	}
	c.swap.body = body
	defer func() { c.swap.body = nil }()
	group, _ := fields["GroupId"].(string)
	query := chat.Query{Stream: chat.Stream{GroupID: group}, Number: 1} // is checked, and then replaced
	// A call that fails by accident must not pass for an answer.
	var page chat.Page
	err = c.caller.Call(ctx, func(ctx context.Context) error {
		page, err = c.Page(ctx, query)
		return err
	})
	return page, err
}

// shape says what a page looks like, without content.
func shape(p chat.Page, err error) string {
	if err != nil {
		if e, ok := errors.AsType[*chatapi.Error](err); ok && e.Code != 0 {
			return fmt.Sprintf("code %d", e.Code)
		}
		return "error: " + err.Error()
	}
	finished := fmt.Sprintf("IsFinished %d", p.Finished)
	if p.Finished == chat.FinishedAbsent {
		finished = "no IsFinished"
	}
	if len(p.Elements) == 0 {
		return "no elements, " + finished
	}
	classes := make(map[int]int)
	low := p.Elements[0].Seq
	for i := range p.Elements {
		classes[p.Elements[i].Place]++
		low = min(low, p.Elements[i].Seq)
	}
	return fmt.Sprintf("%d elements, seqs %d to %d, %d holes, %d recalled, %s",
		len(p.Elements), low, p.Newest(), classes[chat.PlaceHole], classes[chat.PlaceRecalled], finished)
}

// lowest returns the smallest seq of a page, 0 if it is empty.
func lowest(p chat.Page) chat.Seq {
	var low chat.Seq
	for i := range p.Elements {
		if s := p.Elements[i].Seq; low == 0 || s < low {
			low = s
		}
	}
	return low
}

// retained counts the elements that are still there.
func retained(p chat.Page) int {
	n := 0
	for i := range p.Elements {
		if p.Elements[i].Retained() {
			n++
		}
	}
	return n
}
