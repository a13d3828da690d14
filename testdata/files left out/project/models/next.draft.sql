select {{ not ready }}
