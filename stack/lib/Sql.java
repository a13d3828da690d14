import java.sql.DriverManager;
import java.util.ArrayList;

/** Sql URL USER STATEMENT…: runs statements over JDBC; rows as comma-separated values. */
class Sql {
    public static void main(String[] arguments) throws Exception {
        try (var connection = DriverManager.getConnection(arguments[0], arguments[1], "");
                var statement = connection.createStatement()) {
            for (var i = 2; i < arguments.length; i++) {
                if (!statement.execute(arguments[i].strip().replaceFirst(";$", ""))) continue;
                try (var rows = statement.getResultSet()) {
                    while (rows.next()) {
                        var fields = new ArrayList<String>();
                        for (var column = 1; column <= rows.getMetaData().getColumnCount(); column++) {
                            fields.add(quoted(rows.getString(column)));
                        }
                        System.out.println(String.join(",", fields));
                    }
                }
            }
        } catch (java.sql.SQLException error) {
            System.err.println(error.getMessage());
            System.exit(1);
        }
    }

    private static String quoted(String value) {
        if (value == null) return "";
        return value.matches("(?s).*[\",\n].*") ? '"' + value.replace("\"", "\"\"") + '"' : value;
    }
}
