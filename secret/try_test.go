package secret

import (
	"strings"
	"testing"

	"bootswain/internal/cloud"
	"bootswain/lab/awsjson"
)

func TestTryKMS(t *testing.T) {
	r := newRegion(t)
	a, err := cloud.Open(t.Context(), "eu-west-1")
	if err != nil {
		t.Fatal(err)
	}
	orders := map[string]string{"set": "orders"}
	ciphertext := r.Encrypt(r.key, orders, []byte("a volume's key"))
	for name, c := range map[string]struct {
		key        string
		ciphertext []byte
		context    map[string]string
		denied     bool
		want       string // in the sentence; "" for none
	}{
		"sound":         {"", ciphertext, orders, false, ""},
		"named":         {"alias/orders", ciphertext, orders, false, ""},
		"no such key":   {"alias/other", ciphertext, orders, false, "KMS has no alias/other in eu-west-1"},
		"other context": {"", ciphertext, map[string]string{"set": "x"}, false, "was not made with context set=x"},
		"damaged":       {"", []byte("x"), orders, false, "its ciphertext is damaged"},
		"denied":        {"", ciphertext, orders, true, "KMS denied Decrypt on the key of the ciphertext, context set=orders"},
	} {
		r.SetFault(awsjson.Fault{})
		if c.denied {
			r.SetFault(awsjson.Fault{Denied: []string{"Decrypt"}})
		}
		err := TryKMS(t.Context(), a, c.key, c.ciphertext, c.context)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
