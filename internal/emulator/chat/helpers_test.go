package chatemu_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/tencentyun/tls-sig-api-v2-golang/tencentyun"

	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
)

const (
	testApp   = 1400000001
	testKey   = "a key for tests"
	testAdmin = "administrator"
	pagePath  = "/v4/group_open_http_svc/group_msg_get_simple"
)

// client is a hand-made caller: the emulator is tested against the protocol, not against our own client.
type client struct {
	t    testing.TB
	base string
	http *http.Client
	sig  string
}

type answer struct {
	tb testing.TB

	Status       int
	Header       http.Header
	Raw          []byte
	ActionStatus string
	ErrorCode    int
	ErrorInfo    string
	IsFinished   *int
	NextSeq      *int64 `json:"NextReqMsgSeq"`
	RspMsgList   []json.RawMessage
}

type element struct {
	From   string          `json:"From_Account"`
	Place  int             `json:"IsPlaceMsg"`
	System int             `json:"IsSystemMsg"`
	Body   json.RawMessage `json:"MsgBody"`
	Seq    chat.Seq        `json:"MsgSeq"`
	Time   int64           `json:"MsgTimeStamp"`
}

func options() chatemu.Options {
	return chatemu.Options{SDKAppID: testApp, SecretKey: testKey}
}

func sign(tb testing.TB) string {
	tb.Helper()
	sig, err := tencentyun.GenUserSig(testApp, testKey, testAdmin, 86400)
	if err != nil {
		tb.Fatal(err)
	}
	return sig
}

func start(tb testing.TB, opts chatemu.Options) (*chatemu.Server, *client) {
	tb.Helper()
	s := chatemu.New(opts)
	transport := &http.Transport{MaxIdleConnsPerHost: 8}
	tb.Cleanup(transport.CloseIdleConnections)
	c := &client{t: tb, base: s.StartT(tb), http: &http.Client{Transport: transport, Timeout: 20 * time.Second}, sig: sign(tb)}
	return s, c
}

// memory returns a client without sockets, for tests in a bubble of virtual time.
func memory(tb testing.TB, s *chatemu.Server) *client {
	tb.Helper()
	return &client{t: tb, base: "http://chat.invalid", http: &http.Client{Transport: s.RoundTripper()}, sig: sign(tb)}
}

func (c *client) query() url.Values {
	return url.Values{
		"sdkappid": {strconv.Itoa(testApp)}, "identifier": {testAdmin}, "usersig": {c.sig},
		"random": {"4294967295"}, "contenttype": {"json"},
	}
}

// send makes one call and returns its error as it is.
func (c *client) send(method, path string, query url.Values, body string) (answer, error) {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.base+path+"?"+query.Encode(), bytes.NewReader([]byte(body)))
	if err != nil {
		c.t.Fatal(err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return answer{tb: c.t}, err
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{tb: c.t}, err
	}
	a := answer{tb: c.t, Status: resp.StatusCode, Header: resp.Header, Raw: raw}
	return a, json.Unmarshal(raw, &a)
}

func (c *client) call(path, body string) answer {
	c.t.Helper()
	a, err := c.send(http.MethodPost, path, c.query(), body)
	if err != nil {
		c.t.Fatalf("POST %s: %v", path, err)
	}
	return a
}

// page asks for a page of group "g".
func (c *client) page(seq chat.Seq, number int) answer {
	c.t.Helper()
	return c.call(pagePath, pageBody(seq, number))
}

func pageBody(seq chat.Seq, number int) string {
	body := `{"GroupId":"g","ReqMsgNumber":` + strconv.Itoa(number) + `,"WithRecalledMsg":1`
	if seq >= 0 {
		body += `,"ReqMsgSeq":` + strconv.FormatInt(int64(seq), 10)
	}
	return body + "}"
}

func (a answer) elements() []element {
	a.tb.Helper()
	list := make([]element, len(a.RspMsgList))
	for i, raw := range a.RspMsgList {
		if err := json.Unmarshal(raw, &list[i]); err != nil {
			a.tb.Fatalf("element %d: %v", i, err)
		}
	}
	return list
}

func (a answer) seqs() []chat.Seq {
	a.tb.Helper()
	var seqs []chat.Seq
	for _, e := range a.elements() {
		seqs = append(seqs, e.Seq)
	}
	return seqs
}

func (a answer) finished() int {
	a.tb.Helper()
	if a.IsFinished == nil {
		a.tb.Fatalf("no IsFinished in %s", a.Raw)
	}
	return *a.IsFinished
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// down returns the seqs from hi to lo.
func down(hi, lo chat.Seq) []chat.Seq {
	var seqs []chat.Seq
	for seq := hi; seq >= lo; seq-- {
		seqs = append(seqs, seq)
	}
	return seqs
}

func stream() chat.Stream { return chat.Stream{GroupID: "g"} }

// plain adds group "g" with so many ordinary messages.
func plain(tb testing.TB, s *chatemu.Server, count int) {
	tb.Helper()
	must(tb, s.AddGroup(chatemu.Group{ID: "g"}))
	for range count {
		must(tb, s.Append(stream(), chatemu.Message{From: "u", Body: json.RawMessage(`[]`)}))
	}
}

func compact(tb testing.TB, raw []byte) string {
	tb.Helper()
	var b bytes.Buffer
	must(tb, json.Compact(&b, raw))
	return b.String()
}
