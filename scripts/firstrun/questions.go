package main

import (
	"fmt"

	"chatexport/internal/layout"
	"chatexport/scripts/internal/rights"
)

// questions returns what is asked, in order, of a service that has everything to ask about. What is asked of each host
// that files are on stands there once.
func questions() []string {
	all := []string{
		"What does a GET of a key say that does not exist?",
		"What does a HEAD of a chunk say that does not exist?",
		"Is a create-only write to a taken key refused?",
		fmt.Sprintf("Of %d writers at the same moment, does exactly one win?", writers),
		fmt.Sprintf("Are %d new objects there for a GET at once?", rereads),
	}
	for _, prefix := range []string{layout.DataPrefix, layout.ManifestPrefixRoot, layout.MediaPrefixRoot, layout.BlobPrefix, layout.ChangePrefixRoot} {
		all = append(all, "May these keys create below "+prefix+"?")
	}
	for _, trial := range rights.Trials() {
		all = append(all, "May these keys "+trial.What+"?")
	}
	return append(all,
		"May these keys open a new object to another account?",
		"Can the newest page be read?",
		"Are all files on hosts that are known?",
		"Does a file of HOST come by its URL as it stands?",
		"Does get_cos_sig sign a file of HOST?",
		"How many URLs does get_cos_sig take in one call?",
		"Is the URL of a file the same in two answers?",
		"Does ReqMsgNumber count seqs, or messages?",
		"What does ReqMsgSeq 0 mean?",
		"What comes when 21 messages are asked for?",
		"What comes for a window above the newest message?",
		"How do recalled messages come?",
		"What comes below the oldest message that is still stored?",
		whatExpired,
		"What does the history of an AVChatRoom say?",
		"What does a community with topics say without a topic?",
		tooFast,
		whichSignatures,
	)
}
