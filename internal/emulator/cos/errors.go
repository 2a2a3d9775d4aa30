package cosemu

import (
	"fmt"
	"net/http"
	"strings"
)

// apiError is an error answer of COS.
type apiError struct {
	status                     int
	code, message              string
	stringToSign, formatString string // only of SignatureDoesNotMatch
}

func newError(status int, code, message string) *apiError {
	return &apiError{status: status, code: code, message: message}
}

func notImplemented(what string) *apiError {
	return newError(http.StatusNotImplemented, "NotImplemented", "the emulator does not serve "+what)
}

func noSuchKey() *apiError {
	return newError(http.StatusNotFound, "NoSuchKey", "The specified key does not exist.")
}

func internalError(err error) *apiError {
	return newError(http.StatusInternalServerError, "InternalError", "the emulator's disk: "+err.Error())
}

// writeError answers as COS does: XML, but nothing at all for HEAD.
func (a *answer) writeError(r *http.Request, e *apiError) {
	a.code = e.code
	h := a.Header()
	for _, name := range []string{"ETag", "Content-Length", "Content-Encoding", "Accept-Ranges", crcHeader} {
		h.Del(name)
	}
	if r.Method == http.MethodHead {
		a.WriteHeader(e.status)
		return
	}
	var b strings.Builder
	b.WriteString("<?xml version='1.0' encoding='utf-8' ?>\n<Error>")
	element(&b, "Code", e.code)
	element(&b, "Message", e.message)
	if e.stringToSign != "" {
		element(&b, "StringToSign", e.stringToSign)
		element(&b, "FormatString", e.formatString)
	}
	element(&b, "Resource", r.Host+r.URL.Path)
	element(&b, "RequestId", a.requestID)
	element(&b, "TraceId", "dHJhY2U=")
	b.WriteString("</Error>")
	h.Set("Content-Type", "application/xml")
	a.WriteHeader(e.status)
	a.writeString(b.String())
}

func element(b *strings.Builder, name, text string) {
	b.WriteString("<" + name + ">" + escapeXML(text) + "</" + name + ">")
}

// escapeXML keeps control characters as references, as COS does: an XML reader then refuses the page, which is why
// clients must ask for encoding-type=url.
func escapeXML(s string) string {
	var b strings.Builder
	for _, c := range s {
		switch {
		case c == '<':
			b.WriteString("&lt;")
		case c == '>':
			b.WriteString("&gt;")
		case c == '&':
			b.WriteString("&amp;")
		case c == '"':
			b.WriteString("&quot;")
		case c < ' ' && c != '\n':
			fmt.Fprintf(&b, "&#x%x;", c)
		default:
			b.WriteRune(c)
		}
	}
	return b.String()
}
