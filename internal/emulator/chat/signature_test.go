package chatemu_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	chatemu "chatexport/internal/emulator/chat"
)

const signPath = "/v4/im_cos_msg/get_cos_sig"

// signing returns options with a service that signs by the path of a URL.
func signing() chatemu.Options {
	opts := options()
	opts.SignURL = func(url string) (string, int) {
		switch {
		case strings.HasSuffix(url, "/broken"):
			return "", 0
		case strings.HasSuffix(url, "/banned"):
			return url + "?sign=1", 1
		case strings.HasSuffix(url, "/gone"):
			return "", 2
		default:
			return url + "?sign=1", 0
		}
	}
	return opts
}

type signedURL struct {
	ResourceID, Code int
	PreSigURL, Desc  string
	Status           int
}

func signed(t *testing.T, a answer) (list []signedURL) {
	t.Helper()
	var body struct{ PreSigURLs []signedURL }
	must(t, json.Unmarshal(a.Raw, &body))
	return body.PreSigURLs
}

// asking is the body that asks for n URLs.
func asking(n int) string {
	urls := make([]string, n)
	for i := range urls {
		urls[i] = fmt.Sprintf(`{"ResourceID":%d,"RawURL":"https://a/%d"}`, 7+i, i)
	}
	return `{"RawURLs":[` + strings.Join(urls, ",") + `]}`
}

func TestSignURLs_AnswersAsDocumented(t *testing.T) {
	t.Parallel()
	_, c := start(t, signing())
	a := c.call(signPath, `{"RawURLs":[{"ResourceID":9,"RawURL":"https://a/x"},{"ResourceID":1,"RawURL":"https://a/banned"},`+
		`{"ResourceID":2,"RawURL":"https://a/gone"},{"ResourceID":3,"RawURL":"https://a/broken"}]}`)
	want := []signedURL{
		{ResourceID: 9, PreSigURL: "https://a/x?sign=1"},
		{ResourceID: 1, PreSigURL: "https://a/banned?sign=1", Status: 1},
		{ResourceID: 2, Status: 2},
		{ResourceID: 3, Code: 10004, Desc: "invalid parameter"},
	}
	if got := signed(t, a); a.ErrorCode != 0 || a.ActionStatus != "OK" || !slices.Equal(got, want) {
		t.Errorf("answer %s", a.Raw)
	}
	_, c = start(t, options())
	if got := signed(t, c.call(signPath, asking(1))); !slices.Equal(got, []signedURL{{ResourceID: 7, Status: 2}}) {
		t.Errorf("a service without files signs: %+v", got)
	}
}

func TestSignURLs_RefusesWhatIsNoRequest(t *testing.T) {
	t.Parallel()
	_, c := start(t, signing())
	for body, code := range map[string]int{
		asking(20): 0, asking(21): 10004, asking(0): 10004, `{}`: 10004, `{"RawURLs":[1]}`: 10004,
		`{"RawURLs":[{"RawURL":"https://a/x"}]}`: 10004, `{"RawURLs":[{"ResourceID":1}]}`: 10004,
		`{"RawURLs":[{"ResourceID":"1","RawURL":"https://a/x"}]}`: 10004,
	} {
		if a := c.call(signPath, body); a.ErrorCode != code {
			t.Errorf("%s: %s, want code %d", body, a.Raw, code)
		}
	}
	if a, err := c.send(http.MethodPost, signPath, nil, asking(1)); err != nil || a.ErrorCode != 60012 {
		t.Errorf("without a signature: %s, %v", a.Raw, err)
	}
}

func TestSignURLs_HasQuotaFaultsAndQuirks(t *testing.T) {
	t.Parallel()
	opts := signing()
	opts.QPS, opts.QPSBurst = 1, 2
	opts.Quirks.ShuffleKeys = true
	s, c := start(t, opts)
	list := signed(t, c.call(signPath, asking(20)))
	inOrder := slices.IsSortedFunc(list, func(a, b signedURL) int { return a.ResourceID - b.ResourceID })
	slices.SortFunc(list, func(a, b signedURL) int { return a.ResourceID - b.ResourceID })
	for i, u := range list {
		if u.ResourceID != 7+i || u.PreSigURL != fmt.Sprintf("https://a/%d?sign=1", i) {
			t.Errorf("URL %d is %+v", i, u)
		}
	}
	if len(list) != 20 || inOrder {
		t.Errorf("%d URLs, in order: %t", len(list), inOrder)
	}
	s.SetFault(chatemu.FaultAt(2, chatemu.Fault{ErrorCode: 60008}))
	for i, want := range []int{60008, 0, 60007} {
		if a := c.call(signPath, asking(1)); a.ErrorCode != want {
			t.Errorf("call %d: %s, want code %d", i+2, a.Raw, want)
		}
	}
}
