package world

import (
	"chatexport/internal/chat"
	"chatexport/internal/verify"
)

// Verify proves the archive of a stream, and compares it with what the Chat emulator holds. It returns the report.
func (w *World) Verify(s chat.Stream) verify.Report {
	w.t.Helper()
	return w.verify(s, func(verify.Report) chat.Seq { return chat.MaxSeq })
}

// Sound is Verify for an archive that need not be whole yet: what is there must be in order, and the same as what the
// Chat emulator holds up to there.
func (w *World) Sound(s chat.Stream) verify.Report {
	w.t.Helper()
	return w.verify(s, func(r verify.Report) chat.Seq { return r.Hi })
}

func (w *World) verify(s chat.Stream, upTo func(verify.Report) chat.Seq) verify.Report {
	w.t.Helper()
	report, err := verify.Stream(w.t.Context(), w.Store, s, verify.Options{SDKAppID: SDKAppID})
	w.must(err)
	for _, f := range report.Findings {
		w.t.Errorf("verify %s: %s", s, f)
	}
	retained, _, err := w.Chat.Truth(s)
	w.must(err)
	hi := upTo(report)
	diff, err := verify.Compare(w.t.Context(), w.Store, s, func(yield func(chat.Seq, []byte) bool) {
		for r := range retained {
			if r.Seq > hi || r.JSON != nil && !yield(r.Seq, r.JSON) {
				return
			}
		}
	})
	w.must(err)
	if !diff.Same() {
		w.t.Errorf("archive of %s up to %d: %s", s, hi, &diff)
	}
	return report
}
