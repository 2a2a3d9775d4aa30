package view

func (s *server) search(v *visit) error { return errNoPage }
