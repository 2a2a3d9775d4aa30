package world

import (
	"iter"

	"chatexport/internal/chat"
	"chatexport/internal/verify"
)

// Sound is Verify for an archive that need not be whole yet: what is there must be in order, and the same as what the
// Chat emulator holds up to there.
func (w *World) Sound(s chat.Stream) verify.Report {
	w.t.Helper()
	report, err := verify.Stream(w.t.Context(), w.Store, s, verify.Options{SDKAppID: SDKAppID})
	w.must(err)
	for _, f := range report.Findings {
		w.t.Errorf("verify %s: %s", s, f)
	}
	diff, err := verify.Compare(w.t.Context(), w.Store, s, upTo(report.Hi, w.truth(s)))
	w.must(err)
	if !diff.Same() {
		w.t.Errorf("archive of %s up to %d: %s", s, report.Hi, &diff)
	}
	return report
}

func upTo(hi chat.Seq, all iter.Seq2[chat.Seq, []byte]) iter.Seq2[chat.Seq, []byte] {
	return func(yield func(chat.Seq, []byte) bool) {
		for seq, element := range all {
			if seq > hi || !yield(seq, element) {
				return
			}
		}
	}
}
