package chatapi_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"chatexport/internal/chat"
	"chatexport/internal/chatapi"
	"chatexport/internal/retry"
)

func TestCodesMeanWhatTheTablesSay(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		codes []int
		class retry.Class
		is    error // the one condition that the error matches; nil for none
	}{
		{"the service's own trouble", []int{10002, 20004, 20005, 60008, 60013, 60014, 70169, 70202, 70500, 90992, 90994, 90995, 91000}, retry.Transient, nil},
		{"too fast", []int{10006, 60007, 60011, 60018, 60019}, retry.Throttled, nil},
		{"unknown", []int{1, -16, 12345, 60999, 70032, 79999, 80001, 2147483647}, retry.Doubtful, nil},
		{"gone", []int{10010, 10015, 110003}, retry.Permanent, chat.ErrGone},
		{"unsupported", []int{10004, 10007, 11000, 70402}, retry.Permanent, chat.ErrUnsupported},
		{"too large", []int{10018}, retry.Permanent, chat.ErrTooLarge},
		{"configuration", []int{
			10003, 10005, 10011, 10012, 10026, 60002, 60003, 60006, 60009, 60010, 60012, 60015, 60016, 60017, 60020, 60021,
			70002, 70009, 70013, 70014, 70016, 70020, 70051, 70107, 70114, 70403,
		}, retry.Permanent, chatapi.ErrConfiguration},
		// As made by hand, without a signature that could be renewed.
		{"signature", []int{10008, 20002, 60004, 60005, 70001, 70003, 70005, 70050, 70052}, retry.Permanent, chatapi.ErrConfiguration},
	}
	for _, test := range tests {
		for _, code := range test.codes {
			err := error(&chatapi.Error{Op: "op", HTTPStatus: 200, Code: code})
			if got := retry.ClassOf(err); got != test.class {
				t.Errorf("%s: code %d has class %v, want %v", test.name, code, got, test.class)
			}
			for _, condition := range []error{chat.ErrGone, chat.ErrUnsupported, chat.ErrTooLarge, chat.ErrMalformed, chatapi.ErrConfiguration} {
				if got, want := errors.Is(err, condition), errors.Is(test.is, condition); got != want {
					t.Errorf("%s: code %d matches %q: %v, want %v", test.name, code, condition, got, want)
				}
			}
			known := test.class != retry.Doubtful
			if e, _ := errors.AsType[*chatapi.Error](err); (e.Advice() != "") != known {
				t.Errorf("%s: code %d has advice %q", test.name, code, e.Advice())
			}
		}
	}
}

func TestErrorsTellTheOperatorWhatToDo(t *testing.T) {
	t.Parallel()
	for code, hint := range map[int]string{
		10007: "AVChatRoom",
		10010: "dissolved",
		60007: "CHAT_QPS",
		60010: "CHAT_ADMIN",
		60020: "renew the plan",
		60021: "egress IP",
		70009: "CHAT_SECRET_KEY",
		70016: "CHAT_REGION",
		70020: "CHAT_REGION",
		70001: "clock",
	} {
		text := (&chatapi.Error{Op: "get_topic", HTTPStatus: 200, Code: code, Random: 77}).Error()
		for _, want := range []string{"get_topic: code ", hint, "random 77"} {
			if !strings.Contains(text, want) {
				t.Errorf("code %d: %q does not contain %q", code, text, want)
			}
		}
	}
}

func TestSecretsThatTheServiceQuotesAreRemoved(t *testing.T) {
	t.Parallel()
	for name, quote := range map[string]func(userSig string) string{
		"as sent": strings.Clone, "escaped": url.QueryEscape, "the secret key": func(string) string { return key },
	} {
		s := newService(t, func(w http.ResponseWriter, r request) {
			_, _ = fmt.Fprintf(w, `{"ActionStatus":"FAIL","ErrorCode":60002,"ErrorInfo":"bad URL ?x=%s&y"}`, quote(r.UserSig))
		})
		_, err := newClient(t, s.URL, nil).Page(t.Context(), newest())
		if e, ok := errors.AsType[*chatapi.Error](err); !ok || e.Info != "bad URL ?x=[removed]&y" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
