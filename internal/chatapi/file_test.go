package chatapi_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/chat"
	"chatexport/internal/chatapi"
	"chatexport/internal/retry"
)

func TestSignatures_AreThoseOfTheURLs(t *testing.T) {
	t.Parallel()
	const a, b = "https://cos.example/a?sign=" + secret, "https://cos.example/b?sign=" + secret
	none := []chat.Signature{{}, {}}
	list := func(items string) string {
		return `{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"PreSigURLs":` + items + `}`
	}
	for name, test := range map[string]struct {
		body  string
		want  []chat.Signature
		is    error
		class retry.Class
	}{
		"both, in another order": {body: list(`[{"ResourceID":2,"Code":0,"Desc":"","PreSigURL":"` + b + `","Status":0},{"ResourceID":1,"Code":0,"PreSigURL":"` + a + `","Status":1}]`), want: []chat.Signature{{URL: a, Status: chat.FileBanned}, {URL: b}}},
		"one does not exist":     {body: list(`[{"ResourceID":1,"Code":0,"PreSigURL":"` + a + `"},{"ResourceID":2,"Code":0,"PreSigURL":"","Status":2}]`), want: []chat.Signature{{URL: a}, {Status: chat.FileMissing}}},
		"one fails":              {body: list(`[{"ResourceID":1,"Code":80001,"Desc":"no","PreSigURL":"` + a + `","Status":0},{"ResourceID":2,"Code":0,"PreSigURL":"` + b + `"}]`), want: []chat.Signature{{}, {URL: b}}},
		"numbers as text":        {body: list(`[{"ResourceID":"1","Code":"0","PreSigURL":"` + a + `","Status":"2"}]`), want: []chat.Signature{{URL: a, Status: chat.FileMissing}, {}}},
		"one is left out":        {body: list(`[{"ResourceID":2,"PreSigURL":"` + b + `"}]`), want: []chat.Signature{{}, {URL: b}}},
		"none":                   {body: list(`null`), want: none},
		"another resource":       {body: list(`[{"ResourceID":3,"PreSigURL":"` + a + `"}]`), is: chat.ErrMalformed, class: retry.Transient},
		"no resource":            {body: list(`[{"PreSigURL":"` + a + `"}]`), is: chat.ErrMalformed, class: retry.Transient},
		"no list":                {body: list(`{"ResourceID":1,"PreSigURL":"` + a + `"}`), is: chat.ErrMalformed, class: retry.Transient},
		"no number":              {body: list(`[{"ResourceID":1,"Code":"` + a + `"}]`), is: chat.ErrMalformed, class: retry.Transient},
		"throttled":              {body: failure(60011), class: retry.Throttled},
		"quotes what it signed":  {body: `{"ActionStatus":"FAIL","ErrorCode":60010,"ErrorInfo":"cannot sign ` + strings.ReplaceAll(a, " ", "%20") + ` now"}`, is: chatapi.ErrConfiguration},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newService(t, answer(test.body))
			got, err := newClient(t, s.URL, nil).Signatures(t.Context(), []string{"https://cos.example/a", "https://cos.example/b"})
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("signatures (-want +got):\n%s", diff)
			}
			if (err != nil) != (test.want == nil) || test.is != nil && !errors.Is(err, test.is) || err != nil && retry.ClassOf(err) != test.class {
				t.Errorf("error %v of class %v, want %v of class %v", err, retry.ClassOf(err), test.is, test.class)
			}
			checkClean(t, err, "sign=")
			if shown := fmt.Sprintf("%v %+v %#v %s", got, got, got, got); strings.Contains(shown, "sign=") {
				t.Errorf("signatures are shown: %s", shown)
			}
			want := map[string]any{"RawURLs": []any{
				map[string]any{"ResourceID": 1.0, "RawURL": "https://cos.example/a"}, map[string]any{"ResourceID": 2.0, "RawURL": "https://cos.example/b"},
			}}
			calls := s.seen()
			if len(calls) != 1 || calls[0].Path != "/v4/im_cos_msg/get_cos_sig" || !cmp.Equal(want, calls[0].Body) {
				t.Errorf("calls %+v", calls)
			}
		})
	}
}
