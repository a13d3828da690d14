# Probes: whether a service answers its protocol, not only whether its port is open.

port_open() { (exec 3<> "/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# ask PORT REQUEST COUNT: sends bytes (as printf writes them) and prints the first COUNT bytes of the answer in hexadecimal.
ask() {
  # shellcheck disable=SC2016 # the inner shell expands it
  timeout 10 bash -c '
    exec 3<> "/dev/tcp/127.0.0.1/$1" || exit 1
    printf "$2" >&3
    head -c "$3" <&3 | od -An -v -tx1 | tr -d " \n"
  ' ask "$@" 2>/dev/null
}

http_get() { curl -sf --noproxy '*' --max-time 10 "$1"; }

# The SASL greeting of Thrift servers that speak HiveServer2's protocol: mechanism PLAIN, then user and password; they say that it is complete.
sasl_answers() { # PORT
  [ "$(ask "$1" '\x01\0\0\0\x05PLAIN\x02\0\0\0\x08\0mep\0mep' 5)" = 0500000000 ]
}
