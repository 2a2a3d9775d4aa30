package chatemu

import (
	"encoding/json"
	"strconv"
)

// maxSignURLs is the most URLs of a call of get_cos_sig. The service's own limit is unknown; clients ask for as many.
const maxSignURLs = 20

// signURLs answers get_cos_sig. With ShuffleKeys the URLs come in another order, too: only ResourceID tells them apart.
func (s *Server) signURLs(x *exchange) reply {
	var asked []json.RawMessage
	if json.Unmarshal(x.members["RawURLs"], &asked) != nil || len(asked) == 0 || len(asked) > maxSignURLs {
		return refuse(codeParameter)
	}
	items := make([][]byte, len(asked))
	for i, raw := range asked {
		members := objectMembers(raw)
		resource, present, ok := readInteger(members, "ResourceID")
		url, okURL := readString(members, "RawURL")
		if !ok || !present || !okURL || url == "" {
			return refuse(codeParameter)
		}
		items[i] = s.signedURL(resource, url)
	}
	if x.quirks.ShuffleKeys {
		shuffle(items, mixed(uint64(x.call.N)))
	}
	return reply{members: []member{{"PreSigURLs", array(items)}}}
}

func (s *Server) signedURL(resource int64, url string) []byte {
	signed, status, code := "", 2, 0
	if s.opts.SignURL != nil {
		signed, status = s.opts.SignURL(url)
	}
	if signed == "" && status == 0 {
		code = codeParameter
	}
	return object([]member{
		{"ResourceID", strconv.AppendInt(nil, resource, 10)},
		number("Code", code), text("Desc", ErrorText(code)),
		text("PreSigURL", signed), number("Status", status),
	})
}
