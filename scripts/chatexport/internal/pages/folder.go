package pages

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"chatexport/internal/chat"
	"chatexport/scripts/chatexport/internal/cli"
)

// FolderName is what the folder of a stream's pages is called. It is of letters, digits, underscores and a hyphen: a hint
// of the id, and some digits of a sum of it that keep apart what looks alike, on file systems that know no case, too.
func FolderName(s chat.Stream) string {
	const most = 40
	hint := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return '_'
	}, cli.StreamName(s))
	sum := sha256.Sum256([]byte(s.GroupID + "\x00" + s.TopicID))
	return strings.Trim(hint[:min(len(hint), most)], "_") + "-" + hex.EncodeToString(sum[:6])
}
