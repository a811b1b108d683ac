module bootswain

go 1.26
