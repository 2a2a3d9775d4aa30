package chat

import "errors"

// Status is the envelope of an answer. Whether it means success is not judged here.
type Status struct {
	ActionStatus    string // "OK" or "FAIL"
	ErrorCode       int
	ErrorInfo       string
	HasActionStatus bool
	HasErrorCode    bool
	HasErrorInfo    bool
}

// ScanPage is not written yet.
func ScanPage([]byte) (Page, Status, error) { return Page{}, Status{}, errors.ErrUnsupported }

// ScanElement is not written yet.
func ScanElement([]byte) (Element, error) { return Element{}, errors.ErrUnsupported }
