package chatapi_test

import (
	"errors"
	"net/http"
	"testing"

	"chatexport/internal/chat"
	"chatexport/internal/chatapi"
	"chatexport/internal/retry"
)

// Only what the service itself answers is evidence against a message: what a gateway sends with the same body is not.
func TestMalformed_AnswerIsTheServicesOwn(t *testing.T) {
	t.Parallel()
	body := "{\"ActionStatus\":\"OK\",\"ErrorCode\":0,\"RspMsgList\":[{\"MsgSeq\":1,\"a\":\"" + secret + "\x01\"}]}"
	for status, own := range map[int]bool{http.StatusOK: true, http.StatusBadGateway: false, http.StatusNotFound: false} {
		s := newService(t, func(w http.ResponseWriter, _ request) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		})
		_, err := newClient(t, s.URL, nil).Page(t.Context(), newest())
		malformed, ok := errors.AsType[*chat.MalformedError](err)
		if ok != own || own && (string(malformed.Answer) != body || retry.ClassOf(err) != retry.Transient) {
			t.Errorf("status %d: %v", status, err)
		}
		if e, ok := errors.AsType[*chatapi.Error](err); !ok || own && e.ErrorCode() != "malformed_page" {
			t.Errorf("status %d: code of %v", status, err)
		}
		checkClean(t, err, s.seen()[0].UserSig)
	}
}
