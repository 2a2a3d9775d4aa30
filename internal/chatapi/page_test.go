package chatapi_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/chat"
	"chatexport/internal/chatapi"
	"chatexport/internal/retry"
)

func TestPageSendsWhatTheDocumentationAsksFor(t *testing.T) {
	t.Parallel()
	topic := chat.Stream{GroupID: "@TGS#_a", TopicID: "@TGS#_a@TOPIC#_b"}
	tests := []struct {
		name  string
		query chat.Query
		want  map[string]any
	}{
		{
			"newest page leaves ReqMsgSeq out",
			chat.Query{Stream: chat.Stream{GroupID: "g<1>&"}, Number: 20},
			map[string]any{"GroupId": "g<1>&", "ReqMsgNumber": 20.0, "WithRecalledMsg": 1.0},
		},
		{
			"a page below a seq",
			chat.Query{Stream: chat.Stream{GroupID: "g"}, Number: 7, Seq: chat.MaxSeq},
			map[string]any{"GroupId": "g", "ReqMsgNumber": 7.0, "WithRecalledMsg": 1.0, "ReqMsgSeq": 4294967295.0},
		},
		{
			"a topic",
			chat.Query{Stream: topic, Number: 1, Seq: 1},
			map[string]any{"GroupId": "@TGS#_a", "TopicId": "@TGS#_a@TOPIC#_b", "ReqMsgNumber": 1.0, "WithRecalledMsg": 1.0, "ReqMsgSeq": 1.0},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newService(t, answer(emptyPage))
			if _, err := newClient(t, s.URL+"/", nil).Page(t.Context(), test.query); err != nil {
				t.Fatalf("page: %v", err)
			}
			r := s.seen()[0]
			if r.Path != "/v4/group_open_http_svc/group_msg_get_simple" {
				t.Errorf("path %s", r.Path)
			}
			if diff := cmp.Diff(test.want, r.Body); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
			if got := r.Query.Get("sdkappid"); got != "1400000000" {
				t.Errorf("sdkappid %q", got)
			}
			if got := r.Query.Get("identifier"); got != admin {
				t.Errorf("identifier %q", got)
			}
			if got := r.Query.Get("contenttype"); got != "json" {
				t.Errorf("contenttype %q", got)
			}
			if got := r.Header.Get("User-Agent"); got != "chatexport" {
				t.Errorf("user agent %q", got)
			}
			if err := verify(r.UserSig, time.Now().Add(23*time.Hour)); err != nil {
				t.Errorf("UserSig is not valid for nearly a day: %v", err)
			}
		})
	}
}

func TestPageReturnsTheElements(t *testing.T) {
	t.Parallel()
	s := newService(t, answer(`{"ActionStatus":"OK","ErrorCode":0,"GroupId":"g","IsFinished":2,"RspMsgList":[
		{"From_Account":"a","IsPlaceMsg":0,"MsgBody":[],"MsgSeq":8,"MsgTimeStamp":1458721802},
		{"From_Account":"","IsPlaceMsg":2,"MsgBody":[],"MsgSeq":7}]}`))
	page, err := newClient(t, s.URL, nil).Page(t.Context(), newest())
	if err != nil {
		t.Fatalf("page: %v", err)
	}
	if len(page.Elements) != 2 || page.Newest() != 8 || page.Finished != chat.FinishedExpired {
		t.Errorf("page %+v", page)
	}
}

func TestPageNamesEveryRequestAnew(t *testing.T) {
	t.Parallel()
	s := newService(t, answer(emptyPage))
	client := newClient(t, s.URL, nil)
	random := map[string]bool{}
	for range 5 {
		if _, err := client.Page(t.Context(), newest()); err != nil {
			t.Fatalf("page: %v", err)
		}
	}
	for _, r := range s.seen() {
		random[r.Query.Get("random")] = true
	}
	if len(random) != 5 {
		t.Errorf("%d different values of random in 5 calls", len(random))
	}
}

func TestPageRefusesQueriesThatTheServiceCannotAnswer(t *testing.T) {
	t.Parallel()
	s := newService(t, answer(emptyPage))
	client := newClient(t, s.URL, nil)
	g := chat.Stream{GroupID: "g"}
	for _, query := range []chat.Query{
		{Stream: g, Number: 0},
		{Stream: g, Number: 21},
		{Stream: g, Number: -1},
		{Stream: g, Number: 20, Seq: -1},
		{Stream: g, Number: 20, Seq: chat.MaxSeq + 1},
	} {
		_, err := client.Page(t.Context(), query)
		if err == nil || retry.ClassOf(err) != retry.Permanent {
			t.Errorf("page %+v: %v", query, err)
		}
	}
	if n := len(s.seen()); n != 0 {
		t.Errorf("%d calls were sent", n)
	}
}

func TestOnlyAWholeOKIsASuccess(t *testing.T) {
	t.Parallel()
	html := "<html><body>" + secret + "</body></html>"
	tests := []struct {
		name      string
		status    int
		body      string
		class     retry.Class
		malformed bool
	}{
		{"502 with HTML", 502, html, retry.Transient, false},
		{"503 with an OK page", 503, emptyPage, retry.Transient, false},
		{"408", 408, html, retry.Transient, false},
		{"429 without a code", 429, html, retry.Throttled, false},
		{"404 with HTML", 404, html, retry.Doubtful, false},
		{"400 with a code", 400, failure(60002), retry.Permanent, false},
		{"200 with HTML", 200, html, retry.Transient, true},
		{"200 with nothing", 200, "", retry.Transient, true},
		{"truncated JSON", 200, emptyPage[:len(emptyPage)-9], retry.Transient, true},
		{"something after the JSON", 200, emptyPage + "x", retry.Transient, true},
		{"JSON of somebody else", 200, `{"message":"` + secret + `"}`, retry.Transient, true},
		{"an array", 200, `[]`, retry.Transient, true},
		{"FAIL without a code", 200, `{"ActionStatus":"FAIL","ErrorCode":0}`, retry.Doubtful, false},
		{"OK with a code", 200, `{"ActionStatus":"OK","ErrorCode":10002}`, retry.Transient, false},
		{"a code without a word", 200, `{"ErrorCode":60007}`, retry.Throttled, false},
		{"an unknown code", 200, failure(12345), retry.Doubtful, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newService(t, func(w http.ResponseWriter, _ request) {
				w.WriteHeader(test.status)
				_, _ = w.Write([]byte(test.body))
			})
			_, err := newClient(t, s.URL, nil).Page(t.Context(), newest())
			if err == nil {
				t.Fatal("page: no error")
			}
			if got := retry.ClassOf(err); got != test.class {
				t.Errorf("class %v, want %v: %v", got, test.class, err)
			}
			if got := errors.Is(err, chat.ErrMalformed); got != test.malformed {
				t.Errorf("malformed %v, want %v: %v", got, test.malformed, err)
			}
			e, ok := errors.AsType[*chatapi.Error](err)
			if !ok || e.HTTPStatus != test.status || e.Op != "group_msg_get_simple" || e.Random == 0 {
				t.Errorf("error %#v", e)
			}
			if n := len(s.seen()); n != 1 {
				t.Errorf("%d attempts, want 1", n)
			}
			checkClean(t, err, s.seen()[0].UserSig)
		})
	}
}
